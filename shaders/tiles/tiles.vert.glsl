// One square for each occupied tile, and its neighbours if asked for; squares of other tiles are degenerate.
uniform sampler2D u_tiles;
uniform vec2 u_size;   // size of the target, pixels
uniform float u_side;  // side of a tile, pixels of the target
uniform int u_reach;   // how many tiles from an occupied one

bool is_drawn(ivec2 tile) {
    ivec2 low = max(tile - u_reach, 0), high = min(tile + u_reach, textureSize(u_tiles, 0) - 1);
    for (int y = low.y; y <= high.y; ++y)
        for (int x = low.x; x <= high.x; ++x)
            if (texelFetch(u_tiles, ivec2(x, y), 0).r > 0.0)
                return true;
    return false;
}

void main() {
    ivec2 tiles = textureSize(u_tiles, 0);
    ivec2 tile = ivec2(gl_InstanceID % tiles.x, gl_InstanceID / tiles.x);
    vec2 corner = is_drawn(tile) ? vec2(gl_VertexID & 1, gl_VertexID >> 1) : vec2(0.0);
    gl_Position = vec4((vec2(tile) + corner) * u_side / u_size * 2.0 - 1.0, 0.0, 1.0);
}
