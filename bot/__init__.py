"""What may be done, has it been agreed, what was done?"""

__version__ = "0.1.0"
