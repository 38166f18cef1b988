"""The six stages from raw files to a submission, their order, and what each depends on.

Called by runs, tuning, reports, figures and predictions; it imports none of them.
"""
