// The network's inputs, one image for each 4 channels.
#include "include/tile_list.glsl"
#include "include/features.glsl"

layout(rgba16f, binding = 0) writeonly uniform image2D u_out[2 * TEXTURES + 2];

void main() {
    ivec2 pixel = pixel_of_tile();
    vec4 values[2 * TEXTURES + 2];
    network_inputs(pixel, values);
    for (int i = 0; i < 2 * TEXTURES + 2; ++i)
        imageStore(u_out[i], pixel, values[i]);
}
