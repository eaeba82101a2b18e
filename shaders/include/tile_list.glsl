// A work group for each occupied tile.
//   TILE: pixels along a tile's side.
//   ROW: work groups in a row of them.
layout(local_size_x = TILE, local_size_y = TILE) in;

layout(std430, binding = 0) readonly buffer TileList {
    uvec4 groups;  // columns, rows, 1, how many there are
    uint tiles[];  // column + 65536 row
};

ivec2 pixel_of_tile() {
    uint number = min(gl_WorkGroupID.x + ROW * gl_WorkGroupID.y, groups.w - 1u);  // the end of the last row
    uint tile = tiles[number];
    return ivec2(tile & 0xFFFFu, tile >> 16) * TILE + ivec2(gl_LocalInvocationID.xy);
}
