// The nearest surface of one shell.
//   LAYER 0: the outer shell.  LAYER 1: the inner shell, peeled behind what layer 0 drew.
//   SURFACE 0: features (and, in layer 0, the encoded view direction) for shading.
//   SURFACE 1: where the ray hit, for baking and inspection: uv, distance from the eye, face number + 1; normal, level.
#include "include/view_encoding.glsl"

uniform vec3 u_eye;
#if LAYER == 1
uniform sampler2D u_first_depth;
#endif

in vec3 v_position;
in vec2 v_uv;

#if SURFACE == 1
layout(location = 0) out vec4 o_surface;
layout(location = 1) out vec4 o_normal;
#else
uniform sampler2DArray u_features;
uniform vec4 u_scale[FEATURE_TEXTURES];
uniform vec4 u_offset[FEATURE_TEXTURES];

vec4 features(int index, float level) {
    return u_offset[index] + u_scale[index] * textureLod(u_features, vec3(v_uv, float(index)), level);
}

layout(location = 0) out vec4 o_features0;
#if FEATURE_TEXTURES > 1
layout(location = 1) out vec4 o_features1;
#endif
#if FEATURE_TEXTURES > 2
layout(location = 2) out vec4 o_features2;
#endif
#if LAYER == 0
layout(location = VIEW_LOCATION0) out vec4 o_view0;
layout(location = VIEW_LOCATION1) out vec4 o_view1;
#endif
#endif

// The level of detail of a texture of one texel, by the area that a pixel covers of it.
float unit_level() {
    vec2 right = dFdx(v_uv), up = dFdy(v_uv);
    return 0.5 * log2(max(abs(right.x * up.y - right.y * up.x), 1e-9));
}

void main() {
    float level = unit_level();
#if LAYER == 1
    float first = texelFetch(u_first_depth, ivec2(gl_FragCoord.xy), 0).r;
    if (first >= 1.0 || gl_FragCoord.z <= first + 1.2e-7)  // two steps of a 24-bit depth buffer
        discard;
#endif
#if SURFACE == 1
    o_surface = vec4(v_uv, distance(u_eye, v_position), float(gl_PrimitiveID + 1));
    vec3 normal = cross(dFdx(v_position), dFdy(v_position));
    o_normal = vec4(normal / max(length(normal), 1e-20), level);
#else
    ivec3 size = textureSize(u_features, 0);
    level += 0.5 * log2(float(size.x * size.y));
    o_features0 = features(0, level);
#if FEATURE_TEXTURES > 1
    o_features1 = features(1, level);
#endif
#if FEATURE_TEXTURES > 2
    o_features2 = features(2, level);
#endif
#if LAYER == 0
    encode_view(normalize(v_position - u_eye), o_view0, o_view1);
#endif
#endif
}
