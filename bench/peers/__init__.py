"""Other ways to do the same work, in their best configuration, measured in the same run."""
