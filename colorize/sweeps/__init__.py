"""Many runs as one: their folders, a search that resumes and prunes, runs in several processes, what comes after."""
