"""What did Slack say, and what do people see?"""
