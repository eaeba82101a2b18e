// What the shading network takes of a pixel: the features of both hits and the encoded view direction; 0 where empty.
//   TEXTURES: feature textures of a shell, four channels each.
//   UV_STEPS, LOWEST_LEVEL, LEVEL_STEPS: the steps of hits, as in app/passes/gbuffer.py.
#include "include/view_encoding.glsl"

uniform sampler2D u_outer_hits;
uniform sampler2D u_inner_hits;
uniform sampler2DArray u_outer_features;
uniform sampler2DArray u_inner_features;
uniform vec4 u_scale[2 * TEXTURES];  // the outer shell's, then the inner one's
uniform vec4 u_offset[2 * TEXTURES];
uniform mat3 u_pixel_to_ray;

layout(location = 0) out vec4 o_inputs[2 * TEXTURES + 2];

vec4 look_up(sampler2DArray features, vec4 hit, int index) {
    vec2 side = vec2(textureSize(features, 0).xy);
    float level = hit.z * (65535.0 / LEVEL_STEPS) + LOWEST_LEVEL + 0.5 * log2(side.x * side.y);
    return textureLod(features, vec3(hit.xy * (65535.0 / UV_STEPS), float(index)), level);
}

#define FEATURE(first, index, features, hit) \
    o_inputs[first + index] = u_offset[first + index] + u_scale[first + index] * look_up(features, hit, index);

void main() {
    vec4 outer = texelFetch(u_outer_hits, ivec2(gl_FragCoord.xy), 0);
    vec4 inner = texelFetch(u_inner_hits, ivec2(gl_FragCoord.xy), 0);
    for (int i = 0; i < 2 * TEXTURES + 2; ++i)
        o_inputs[i] = vec4(0.0);
    if (outer.a > 0.0) {
        FEATURE(0, 0, u_outer_features, outer)
#if TEXTURES > 1
        FEATURE(0, 1, u_outer_features, outer)
#endif
#if TEXTURES > 2
        FEATURE(0, 2, u_outer_features, outer)
#endif
        vec3 ray = u_pixel_to_ray * vec3(gl_FragCoord.xy, 1.0);
        encode_view(normalize(ray), o_inputs[2 * TEXTURES], o_inputs[2 * TEXTURES + 1]);
    }
    if (inner.a > 0.0) {
        FEATURE(TEXTURES, 0, u_inner_features, inner)
#if TEXTURES > 1
        FEATURE(TEXTURES, 1, u_inner_features, inner)
#endif
#if TEXTURES > 2
        FEATURE(TEXTURES, 2, u_inner_features, inner)
#endif
    }
}
