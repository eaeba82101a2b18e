"""OpenGL helpers: headless context, driver queries, render targets, memory use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import moderngl

from duplex.app.core.errors import DuplexError

REQUIRED_GL = 330
SOFTWARE = ("llvmpipe", "softpipe", "swiftshader", "swrast", "basic render", "gdi generic")
INSTALL_HINT = (
    "install OpenGL: on Debian or Ubuntu `apt install libgl1 libegl1 libgl1-mesa-dri`, on Fedora "
    "`dnf install mesa-libGL mesa-libEGL mesa-dri-drivers`; Windows needs the graphics card's driver, "
    "macOS 10.14 or newer has all it takes"
)


def create_headless_context() -> moderngl.Context:
    """Create an OpenGL 3.3 context without a window, with EGL on Linux and the native API elsewhere.

    Raises :class:`DuplexError`, which says what to install, if that fails.
    """
    attempts = [{"backend": "egl"}, {}] if sys.platform.startswith("linux") else [{}]
    reasons = []
    for settings in attempts:
        try:
            ctx = moderngl.create_context(standalone=True, require=REQUIRED_GL, **settings)  # type: ignore[arg-type]
        except Exception as error:  # glcontext raises exceptions of many types
            reasons.append(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
            continue
        ctx.gc_mode = "auto"
        return ctx
    raise DuplexError(
        f"no OpenGL {REQUIRED_GL // 100}.{REQUIRED_GL % 100 // 10} here ({'; '.join(reasons)}): {INSTALL_HINT}"
    )


def describe(ctx: moderngl.Context) -> str:
    """Renderer and version of the OpenGL driver in one line."""
    info = ctx.info
    return f"{info.get('GL_RENDERER', 'unknown renderer')}, OpenGL {info.get('GL_VERSION', '?')}"


def is_software(ctx: moderngl.Context) -> bool:
    """Whether OpenGL runs on the CPU, without a GPU or without its driver."""
    return any(name in describe(ctx).lower() for name in SOFTWARE)


def check_texture_size(ctx: moderngl.Context, side: int, what: str) -> None:
    """Raise :class:`DuplexError` if ``side`` texels exceed the driver's limit; ``what`` names the texture."""
    limit = int(ctx.info["GL_MAX_TEXTURE_SIZE"])
    if side > limit:
        raise DuplexError(f"{what} with a side of {side}: this driver draws at most {limit} ({describe(ctx)})")


@contextmanager
def driver_errors(what: str) -> Iterator[None]:
    """Turn an error of the driver during ``what`` into a :class:`DuplexError`."""
    try:
        yield
    except moderngl.Error as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip(" =")]
        raise DuplexError(
            f"{what}: the OpenGL driver refuses it ({' '.join(lines)[:200]}): try a newer driver"
        ) from None


def color_target(ctx: moderngl.Context, size: tuple[int, int], dtype: str = "f2") -> moderngl.Texture:
    """A render target of 4 channels with nearest filtering and clamped coordinates."""
    texture = ctx.texture(size, 4, dtype=dtype)
    texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
    texture.repeat_x = texture.repeat_y = False
    return texture


def colors(*framebuffers: moderngl.Framebuffer) -> list[moderngl.Texture]:
    """The colour attachments of ``framebuffers``."""
    return [t for buffer in framebuffers for t in buffer.color_attachments if isinstance(t, moderngl.Texture)]


def depth_target(ctx: moderngl.Context, size: tuple[int, int]) -> moderngl.Texture:
    """A depth texture whose values a later pass can read (no depth comparison)."""
    texture = ctx.depth_texture(size)
    texture.compare_func = ""
    texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
    texture.repeat_x = texture.repeat_y = False
    return texture


def bytes_of(*resources: object) -> int:
    """GPU memory of textures, buffers and framebuffers in bytes, mip levels not counted."""
    total = 0
    for resource in resources:
        if isinstance(resource, moderngl.Framebuffer):
            depth = resource.depth_attachment
            total += bytes_of(*colors(resource)) + (4 * depth.width * depth.height if depth else 0)
        elif isinstance(resource, moderngl.Buffer):
            total += resource.size
        elif isinstance(resource, moderngl.TextureArray):
            total += resource.width * resource.height * resource.layers * resource.components
        elif isinstance(resource, moderngl.Texture):
            size = {"f1": 1, "f2": 2, "f4": 4, "nu2": 2}[resource.dtype]
            total += resource.width * resource.height * resource.components * size
    return total
