"""The names of widely read course code, served by fastconv.

``fastconv.compat.dlfs`` has the layers of "Deep Learning from Scratch", and
``fastconv.compat.cs231n`` the fast layers of Stanford's CS231n.
"""
