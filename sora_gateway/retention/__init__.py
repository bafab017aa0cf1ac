"""What is kept for how long: files by age, plan and room on the disk, rows by age, and both held against each other."""
