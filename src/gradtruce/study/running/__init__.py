"""Running a study: the queue, its workers, and the folder they share."""
