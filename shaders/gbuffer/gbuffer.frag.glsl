// Where rays hit one shell first. As small as it can be: many triangles are drawn that others hide.
//   LAYER 0: the outer shell.  LAYER 1: the inner shell, peeled behind what layer 0 drew.
//   SURFACE 0: hits for shading, 16 bits each: uv, level of detail, 1.
//   SURFACE 1: for baking and inspection: uv, distance from the eye, face number + 1; normal, level.
//   UV_STEPS, LOWEST_LEVEL, LEVEL_STEPS: the steps of hits, as in app/render/passes/gbuffer.py.
#define UNIT_LEVEL  // derivatives exist in fragment shaders only
#include "include/level_of_detail.glsl"
#if LAYER == 1
#include "gbuffer/depth_peeling.glsl"
#endif

in vec2 v_uv;

#if SURFACE == 1
uniform vec3 u_eye;
in vec3 v_position;
layout(location = 0) out vec4 o_surface;
layout(location = 1) out vec4 o_normal;
#else
layout(location = 0) out vec4 o_hit;
#endif

void main() {
    float level = unit_level(v_uv);
#if LAYER == 1
    if (is_peeled_away())
        discard;
#endif
#if SURFACE == 1
    o_surface = vec4(v_uv, distance(u_eye, v_position), float(gl_PrimitiveID + 1));
    vec3 normal = cross(dFdx(v_position), dFdy(v_position));
    o_normal = vec4(normal / max(length(normal), 1e-20), level);
#else
    o_hit = vec4(v_uv * (UV_STEPS / 65535.0), (level - LOWEST_LEVEL) * (LEVEL_STEPS / 65535.0), 1.0);
#endif
}
