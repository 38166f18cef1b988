"""Studies: which settings of a member are best, by folds that no score is told on."""
