"""The YAML of a run folder is data, and may hold anything."""

import pytest

from colorize.reports.run_data import config_of
from colorize.utils.errors import UserError
from colorize.utils.stored_config import read_config, read_yaml


@pytest.mark.parametrize("content", ["1\n", "true\n", "1.5\n", ".nan\n", "[1\n", "\0"])
@pytest.mark.parametrize("read", [read_yaml, read_config, config_of])
def test_what_is_no_config_is_refused_in_a_sentence(read, content, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(content)
    with pytest.raises(UserError, match=r"config\.yaml"):
        read(path)


def test_a_page_of_runs_reads_a_config_as_the_other_verbs_do(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("a: &a [x,x,x]\nb: [*a,*a]\n")
    with pytest.raises(UserError, match="repeats parts of itself"):
        config_of(path)
