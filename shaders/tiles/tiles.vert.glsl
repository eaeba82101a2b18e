// One square for each occupied tile; squares of empty tiles are degenerate.
//   TILE: side of a tile, pixels.
uniform sampler2D u_tiles;
uniform vec2 u_size;  // size of the target, pixels

void main() {
    ivec2 tiles = textureSize(u_tiles, 0);
    ivec2 tile = ivec2(gl_InstanceID % tiles.x, gl_InstanceID / tiles.x);
    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * texelFetch(u_tiles, tile, 0).r;
    gl_Position = vec4((vec2(tile) + corner) * float(TILE) / u_size * 2.0 - 1.0, 0.0, 1.0);
}
