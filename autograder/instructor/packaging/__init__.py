"""What leaves the instructor's machine: the upload to Gradescope and the students' release.

    contents   which files an archive needs, and that none of them gives the solution away
    upload     autograder.zip
    release    what students download
"""
