"""The error report card: findings of two reports as tuples, compared one by one."""
