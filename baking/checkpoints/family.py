"""What a family of checkpoints is: the code base whose files it reads.

To add a family, write a class like this one (here the whole of a package of your own)::

    from duplex.baking.checkpoints.family import Family, LoadedFields
    from duplex.baking.checkpoints.files import Checkpoint
    from duplex.baking.fields.field import Overrides, SceneInfo

    class MyNerfFamily(Family):
        name = "my-nerf"
        state_classes = ("my_nerf.options.Options",)  # pickled beside the weights; none for most families

        def matches(self, checkpoint: Checkpoint) -> bool:
            return checkpoint.kind == "torch" and "my_network" in checkpoint.root

        def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
            field = MyField(checkpoint.root.at("my_network").tensors())  # a RadianceField
            return LoadedFields.single(field, SceneInfo(near=2.0, far=6.0))

Then tell duplex of it, in one of two ways:

* ``duplex.baking.checkpoints.registry.register(MyNerfFamily())`` before a checkpoint is loaded, or
* an entry point of the installed package, which the command line finds too::

      [project.entry-points."duplex.families"]
      my-nerf = "my_nerf.duplex_family:FAMILY"  # FAMILY = MyNerfFamily()

A family that duplex itself brings is a module in ``families/mlp``, ``grid``, ``hash`` or ``baked`` and an entry in
``registry.BUILT_IN``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from duplex.baking.checkpoints.files import Checkpoint
from duplex.baking.fields.field import Overrides, RadianceField, SceneInfo
from duplex.baking.fields.readings import Question


@dataclass(frozen=True)
class LoadedFields:
    """What a checkpoint holds.

    ``coarse``, ``fine``: the fields for the standard renderer's coarse and fine samples, both on the CPU; ``scene``:
    what the checkpoint and the files beside it say of the scene; ``questions``: what neither they nor the user say of
    the networks (:mod:`duplex.baking.fields.readings`), which photos may answer.
    """

    coarse: RadianceField
    fine: RadianceField
    scene: SceneInfo
    questions: tuple[Question, ...] = ()

    @classmethod
    def single(cls, field: RadianceField, scene: SceneInfo) -> LoadedFields:
        """For a checkpoint with one field, which then takes both kinds of samples."""
        return cls(field, field, scene)


class Family(Protocol):
    """A family of checkpoints.

    ``name``: as reports and errors show it, unique; ``state_classes``: qualified names of the Python classes that its
    files pickle. Such a class is never imported: an object of it is its pickled state, a node whose ``kind`` is the
    class's name. A file that pickles any other class is refused unread.
    """

    name: str
    state_classes: tuple[str, ...] = ()

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether ``checkpoint`` has this family's layout.

        Families are asked one after the other about files of every kind, damaged and hostile ones too: look at the
        structure alone (``at``, ``in``, ``names``, ``kind``, ``shape``, ``dtype``), which never raises.
        """
        ...

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """The fields and the scene of a checkpoint that :meth:`matches`.

        Every value is asked for by its place, shape and range, see
        :class:`~duplex.baking.checkpoints.tree.CheckpointNode`, and whatever evaluating the field relies on is checked
        here; what no file says is assumed and noted in ``SceneInfo.assumed``. ``overrides``: what the user says; fields
        take ``activation``, ``encoding`` and the like from it here, the scene's own values are overridden by the
        caller. Raises :class:`~duplex.app.core.errors.DuplexError` for a network or a scene that cannot be read; the
        caller adds the file's name.
        """
        ...
