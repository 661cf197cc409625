"""Groups of verbs, such as `resvision data`: called without a word they show their help, or do their usual thing."""

from typing import Any, ClassVar

from typer.core import TyperGroup


class HelpfulGroup(TyperGroup):
    """A group that shows its help, with exit code 0, where nothing is asked of it.

    usual  the command that words which name none are meant for; "" for none
    """

    usual: ClassVar[str] = ""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words after the group's name; `ctx` is the context of the click that typer brings along."""
        if not ctx.resilient_parsing:  # which is how shells ask for completions
            if self.usual and args[:1] != ["--help"] and (not args or args[0] not in self.commands):
                args = [self.usual, *args]
            elif not args:
                args = ["--help"]
        return super().parse_args(ctx, args)


class ListingGroup(HelpfulGroup):
    """A group whose usual command lists."""

    usual: ClassVar[str] = "list"
