"""The page that each run writes of itself, and two such pages side by side."""
