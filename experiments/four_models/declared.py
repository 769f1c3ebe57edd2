"""What the study declares before its first run."""

NETWORKS = ("cnn", "gan_unet", "gan", "diffusion", "transformer", "multicolor")
SEEDS = tuple(range(6))
BUDGET = 50_000.0  # 10⁹ floating-point operations of training, for each run
SCALES = (0.25, 0.5, 2, 4)  # of that budget: what more of it does for the best network

JUDGED = "people_places"  # the photographs that decide, by the metrics of MARGINS in ../verdicts.py
