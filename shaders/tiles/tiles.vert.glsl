// One square for each tile of at least a value; squares of other tiles are degenerate.
uniform sampler2D u_tiles;
uniform vec2 u_size;   // size of the target, pixels
uniform float u_side;  // side of a tile, pixels of the target
uniform float u_least; // value of a tile that is drawn

void main() {
    ivec2 tiles = textureSize(u_tiles, 0);
    ivec2 tile = ivec2(gl_InstanceID % tiles.x, gl_InstanceID / tiles.x);
    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
    corner *= step(u_least, texelFetch(u_tiles, tile, 0).r);
    vec2 place = (vec2(tile) + corner) * u_side;
    gl_Position = vec4(place / u_size * 2.0 - 1.0, 0.0, 1.0);
}
