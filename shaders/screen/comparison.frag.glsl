// A reference image at the pixels of the frame's camera, or the error of the rendered image against it.
//   ERROR 0: the reference image.  ERROR 1: mean absolute difference of the channels, as a colour ramp.
uniform sampler2D u_reference;  // premultiplied alpha, row 0 at the bottom
uniform vec4 u_place;           // pixel of the reference = xy * pixel of the frame + zw
uniform vec4 u_background;      // premultiplied alpha
#if ERROR == 1
uniform sampler2D u_drawn;  // the rendered image over the same background
uniform float u_range;      // difference at the bright end of the ramp
#include "include/ramp.glsl"
#endif

out vec4 o_color;

void main() {
    vec2 size = vec2(textureSize(u_reference, 0));
    vec2 uv = (gl_FragCoord.xy * u_place.xy + u_place.zw) / size;
    bool inside = all(greaterThanEqual(uv, vec2(0.0))) && all(lessThanEqual(uv, vec2(1.0)));
    vec4 color = texture(u_reference, uv);
    color += (1.0 - color.a) * u_background;
#if ERROR == 1
    vec3 difference = abs(color.rgb - texelFetch(u_drawn, ivec2(gl_FragCoord.xy), 0).rgb);
    o_color = vec4(inside ? along_ramp(dot(difference, vec3(1.0 / 3.0)) / u_range) : vec3(0.08), 1.0);
#else
    o_color = inside ? color : u_background;
#endif
}
