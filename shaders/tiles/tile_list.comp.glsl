// Lists the occupied tiles in any order and sets the size of the indirect dispatch, one work group per tile.
//   ROW: largest number of work groups along the x axis.
layout(local_size_x = 64) in;

uniform sampler2D u_tiles;

layout(std430, binding = 0) buffer TileList {
    uvec4 groups;
    uint tiles[];
};

void main() {
    int number = int(gl_GlobalInvocationID.x);
    int columns = textureSize(u_tiles, 0).x;
    ivec2 tile = ivec2(number % columns, number / columns);
    if (tile.y < textureSize(u_tiles, 0).y && texelFetch(u_tiles, tile, 0).r > 0.0) {
        uint index = atomicAdd(groups.w, 1u);
        atomicMax(groups.x, min(index + 1u, uint(ROW)));
        atomicMax(groups.y, index / uint(ROW) + 1u);
        tiles[index] = uint(tile.x) | uint(tile.y) << 16;
    }
}
