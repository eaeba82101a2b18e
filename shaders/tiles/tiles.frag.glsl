// 1 for an occupied tile: one with a covered pixel inside it, or within reach of its convolutions.
//   TILE: side of a tile, pixels.  MARGIN: reach of the convolutions, pixels.
uniform sampler2D u_hits;

out vec4 o_occupied;

void main() {
    ivec2 first = ivec2(gl_FragCoord.xy) * TILE;
    ivec2 low = max(first - MARGIN, 0);
    ivec2 high = min(first + (TILE + MARGIN), textureSize(u_hits, 0));
    o_occupied = vec4(0.0);
    for (int y = low.y; y < high.y; ++y)
        for (int x = low.x; x < high.x; ++x)
            if (texelFetch(u_hits, ivec2(x, y), 0).a > 0.0) {
                o_occupied = vec4(1.0);
                return;
            }
}
