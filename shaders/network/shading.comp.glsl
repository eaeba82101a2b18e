// Some layers of the shading network, with their weights as constants: app/render/backends/compute.py fills in the rest.
#include "include/tile_list.glsl"

DECLARATIONS

void main() {
    ivec2 pixel = pixel_of_tile();
    vec4 x;
BODY
}
