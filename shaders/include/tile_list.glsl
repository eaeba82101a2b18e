// One work group for each occupied tile.
//   TILE: side of a tile, pixels.
//   ROW: work groups along the x axis of the dispatch.
layout(local_size_x = TILE, local_size_y = TILE) in;

layout(std430, binding = 0) readonly buffer TileList {
    uvec4 groups;  // indirect dispatch: x, y, 1; then the number of tiles
    uint tiles[];  // column + 65536 * row
};

ivec2 pixel_of_tile() {
    uint number = min(gl_WorkGroupID.x + ROW * gl_WorkGroupID.y, groups.w - 1u);  // the last row overruns the list
    uint tile = tiles[number];
    return ivec2(tile & 0xFFFFu, tile >> 16) * TILE + ivec2(gl_LocalInvocationID.xy);
}
