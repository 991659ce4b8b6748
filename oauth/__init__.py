"""Who is this, and which token may they use now?"""
