// A work group for each occupied tile.
//   TILE: pixels along a tile's side.
layout(local_size_x = TILE, local_size_y = TILE) in;

layout(std430, binding = 0) readonly buffer TileList {
    uvec4 groups;  // how many there are, 1, 1
    uint tiles[];  // column + 65536 row
};

ivec2 pixel_of_tile() {
    uint tile = tiles[gl_WorkGroupID.x];
    return ivec2(tile & 0xFFFFu, tile >> 16) * TILE + ivec2(gl_LocalInvocationID.xy);
}
