import diffkit_schedules


def test_public_names(check_public_names):
    check_public_names(diffkit_schedules)
