"""What goes wrong in a way the user can mend: printed as one line, exit status 2."""


class UserError(Exception):
    pass
