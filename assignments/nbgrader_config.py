"""nbgrader's settings for this course; `make assignments` and `make grade` read them, too."""

c = get_config()  # noqa: F821 (nbgrader defines it)

c.CourseDirectory.course_id = "gan-notebooks"
c.IncludeHeaderFooter.header = "header.ipynb"
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE\nraise NotImplementedError"}
c.ClearSolutions.text_stub = "*Write your answer here.*"
c.OverwriteCells.add_missing_cells = True  # tests that were deleted come back
c.ExecutePreprocessor.timeout = 120  # only for nbgrader's own `autograde`; see README.md
c.HTMLExporter.sanitize_html = True  # feedback pages run no program of a student's
