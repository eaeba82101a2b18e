// One stage of the network, weights as constants. app/render/backends/compute.py inserts the two parts in capitals.
#include "include/tile_list.glsl"

DECLARATIONS

void main() {
    ivec2 pixel = pixel_of_tile();
    vec4 x;
BODY
}
