"""The gate of what we stand on: is it what the locks say, and is none of it known to be open?"""
