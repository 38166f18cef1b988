"""What goes to MLflow, and what becomes of it when the server does not answer."""
