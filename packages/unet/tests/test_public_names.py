import diffkit_unet


def test_public_names(check_public_names):
    check_public_names(diffkit_unet)
