"""`python -m local.admin_login` makes the login that `make up` shows: `admin` with the password $ADMIN_PASSWORD."""

import os

import django


def ensure(username: str, password: str) -> None:
    """Make or repair the user, so that the login that is shown works. Nothing changes when it does already."""
    from django.contrib.auth.models import User

    user, _ = User.objects.get_or_create(username=username)
    if not (user.is_active and user.is_staff and user.is_superuser and user.check_password(password)):
        user.is_active = user.is_staff = user.is_superuser = True
        user.set_password(password)
        user.save()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    ensure("admin", os.environ["ADMIN_PASSWORD"])
