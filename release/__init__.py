"""What a release of one package needs. It reads git, pyproject.toml, CHANGELOG.md and stubs, and imports nothing of diffkit."""
