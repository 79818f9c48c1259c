"""MariaDB and MySQL as a database of this project."""
