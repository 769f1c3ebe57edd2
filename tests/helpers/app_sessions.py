"""What tests ask of a session of the page that `colorize app` serves."""

from PIL import Image

from colorize.cli.web_app import paint_defaults


def options(**given):
    defaults = paint_defaults()
    vars(defaults).update({"format": "png"} | given)
    return defaults


def stroke():
    """Of a brush, twice the photograph's size, as its view may be; its edge is half transparent."""
    drawn = Image.new("RGBA", (140, 100))
    drawn.paste((40, 40, 200, 90), (38, 38, 82, 62))
    drawn.paste((200, 40, 40, 255), (40, 40, 80, 60))
    return drawn
