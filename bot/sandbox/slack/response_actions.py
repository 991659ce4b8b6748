"""What a modal does with the answer to its submit (docs.slack.dev, "Modals", `response_action`)."""

from __future__ import annotations

from . import limits, views
from .dispatch import Delivery
from .errors import SlackRefusal
from .model import View
from .state import Workspace

TROUBLE = "We had some trouble connecting. Try again?"


def follow(workspace: Workspace, view: View, delivery: Delivery) -> dict[str, str]:
    """Do what `response_action` says; gives the errors to show."""
    answer = delivery.answer
    action = answer.get("response_action")
    try:
        if delivery.failure:
            views.troubled(workspace, view, errors={}, trouble=TROUBLE)
        elif action == "errors":
            errors = {str(name): str(text) for name, text in dict(answer.get("errors", {})).items()}
            if not errors or not errors.keys() <= view.values.keys():
                # An error for a block that is no input is shown nowhere: Slack says only this.
                views.troubled(workspace, view, errors={}, trouble=TROUBLE)
                return {}
            views.troubled(workspace, view, errors=errors)
            return errors
        elif action == "update":
            views.replace(workspace, view, limits.view(answer.get("view"), "modal"))
        elif action == "push":
            views.push(workspace, view.user, limits.view(answer.get("view"), "modal"))
        elif action == "clear":
            views.clear(workspace, view.user)
        else:
            views.pop(workspace, view)
    except SlackRefusal:
        views.troubled(workspace, view, errors={}, trouble=TROUBLE)
    return {}
