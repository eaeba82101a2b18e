// 1 for an occupied tile: one with a covered pixel inside it, or within reach of its convolutions. 0.5 for a tile near
// covered pixels. Else 0.
//   TILE: side of a tile, pixels.  MARGIN: reach of the convolutions, pixels.  NEAR: of near tiles, at least MARGIN.
uniform sampler2D u_hits;

out vec4 o_occupied;

bool is_covered(int margin) {
    ivec2 first = ivec2(gl_FragCoord.xy) * TILE;
    ivec2 low = max(first - margin, 0);
    ivec2 high = min(first + (TILE + margin), textureSize(u_hits, 0));
    for (int y = low.y; y < high.y; ++y)
        for (int x = low.x; x < high.x; ++x)
            if (texelFetch(u_hits, ivec2(x, y), 0).a > 0.0)
                return true;
    return false;
}

void main() {
    o_occupied = vec4(is_covered(MARGIN) ? 1.0 : 0.0);
#if NEAR > MARGIN
    if (o_occupied.r == 0.0 && is_covered(NEAR))
        o_occupied = vec4(0.5);
#endif
}
