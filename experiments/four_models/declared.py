"""What the study declares before its first run."""

NETWORKS = ("cnn", "gan_unet", "gan", "diffusion", "transformer", "multicolor")
SEEDS = tuple(range(6))
BUDGET = 50_000.0  # 10⁹ floating-point operations of training, for each run
SCALES = (0.25, 0.5, 2, 4)  # of that budget: what more of it does for the best network

JUDGED = "people_places"  # the photographs that decide
MARGINS = {"psnr": 0.3, "ciede2000": 0.5}  # the primary metrics, and from where on two networks differ for a reader
ALPHA = 0.05  # of all pairs and metrics together
POWER = 0.8
