"""Building and checking the CSV that goes to Kaggle, and the ledger of what was scored."""
