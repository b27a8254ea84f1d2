"""
What tries to break the promise: every fault, every crash, at random instants; and the table of what came of it.

A case is a thing to break on a place of its own, so that many can be in flight. A crash is what happens to it in the middle. After the fault's
time the host itself is asked, and compared with the picture from before. See docs/guarantees.md.
"""
