// The network's inputs at a pixel: features at both hits and the encoded view direction; 0 where the ray misses.
//   TEXTURES: feature textures per shell, 4 channels each.
//   UV_STEPS, LOWEST_LEVEL, LEVEL_STEPS, OPACITY_STEPS: quantisation of hits, as in app/render/passes/gbuffer.py.
#include "include/level_of_detail.glsl"
#include "include/view_encoding.glsl"

uniform sampler2D u_outer_hits;
uniform sampler2D u_inner_hits;
uniform sampler2DArray u_outer_features;
uniform sampler2DArray u_inner_features;
uniform vec4 u_scale[2 * TEXTURES];  // dequantisation: outer shell, then inner shell
uniform vec4 u_offset[2 * TEXTURES];
uniform mat3 u_pixel_to_ray;

vec4 look_up(sampler2DArray features, vec4 hit, int index) {
    vec2 side = vec2(textureSize(features, 0).xy);
    float unit = floor(round(hit.z * 65535.0) / OPACITY_STEPS) / LEVEL_STEPS + LOWEST_LEVEL;
    float level = texture_level(unit, side);
    return textureLod(features, vec3(hit.xy * (65535.0 / UV_STEPS), float(index)), level);
}

void network_inputs(ivec2 pixel, out vec4 values[2 * TEXTURES + 2]) {
    vec4 outer = texelFetch(u_outer_hits, pixel, 0);
    vec4 inner = texelFetch(u_inner_hits, pixel, 0);
    for (int i = 0; i < 2 * TEXTURES + 2; ++i)
        values[i] = vec4(0.0);
    if (outer.a > 0.0) {
        for (int i = 0; i < TEXTURES; ++i)
            values[i] = u_offset[i] + u_scale[i] * look_up(u_outer_features, outer, i);
        vec3 ray = u_pixel_to_ray * vec3(vec2(pixel) + 0.5, 1.0);
        encode_view(normalize(ray), values[2 * TEXTURES], values[2 * TEXTURES + 1]);
    }
    if (inner.a > 0.0)
        for (int i = TEXTURES; i < 2 * TEXTURES; ++i)
            values[i] = u_offset[i] + u_scale[i] * look_up(u_inner_features, inner, i - TEXTURES);
}
