// The network's inputs, one render target for each 4 channels.
#include "include/features.glsl"

layout(location = 0) out vec4 o_inputs[2 * TEXTURES + 2];

void main() {
    vec4 values[2 * TEXTURES + 2];
    network_inputs(ivec2(gl_FragCoord.xy), values);
    for (int i = 0; i < 2 * TEXTURES + 2; ++i)
        o_inputs[i] = values[i];
}
