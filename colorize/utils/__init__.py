"""Files, processes, devices, errors, configs: what any program needs, and nothing of photographs."""
