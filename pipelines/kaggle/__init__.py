"""What goes to Kaggle and what comes from it."""
