from .sources import source_kind

__all__ = ["source_kind"]
